"""Time at which this process began to import neurobench: code modified later may differ from the imported code."""

import time

BEGAN = time.time()
