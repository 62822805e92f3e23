"""When this process began to import neurobench: code that is written later may differ from what was imported."""

import time

BEGAN = time.time()
