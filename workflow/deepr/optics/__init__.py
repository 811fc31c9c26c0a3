"""A simulated fluorescence microscope: objective, point spread function, camera, specimens, stage."""
