"""Load on real sockets: the lean driver, the benchmarks and their report."""
