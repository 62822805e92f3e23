"""Many runs: planned first, spread over processes or a cluster, and none of them twice."""
