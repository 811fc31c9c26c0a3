"""The networks: generator, discriminator, losses, training pairs, training and inference.

TensorFlow takes seconds to import, so nothing outside this package imports it, and importing this
package alone does not either: only its modules do.
"""

import os

# TensorFlow reads both when it is first imported. Its start-up banners would fill every rule's log;
# and on processors without AVX-512 it leaves oneDNN's convolutions off, which train twice as fast.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
