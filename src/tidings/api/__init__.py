"""HTTP in: the wire contracts, translated to the engine's verbs and back."""
