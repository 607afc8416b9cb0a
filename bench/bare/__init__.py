"""The ceilings: the same bytes over the same libraries, without any of the product's logic."""
