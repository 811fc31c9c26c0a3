"""The networks: generator, discriminator, losses, training pairs, training and inference.

TensorFlow takes seconds to import, so nothing outside this package imports it, and importing this
package alone does not either: only its modules do.
"""

import os

# TensorFlow reads this when it is first imported. On processors without AVX-512 it would leave oneDNN's
# convolutions off, with which networks train twice as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
