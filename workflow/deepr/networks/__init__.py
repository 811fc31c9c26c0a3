"""The networks: generator, discriminator, losses, training pairs, training and inference.

TensorFlow takes seconds to import, so nothing outside this package imports it, and importing this
package alone does not either: only its modules do.
"""

import os

# Read by TensorFlow when it is first imported: its start-up banners would fill every rule's log.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
