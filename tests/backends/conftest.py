from tests.kernels.conftest import one_thread as one_thread
