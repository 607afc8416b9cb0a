"""A model of growth: a discrete-event simulation fed with what the benchmarks measured."""
