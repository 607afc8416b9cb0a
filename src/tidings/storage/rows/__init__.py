"""What adapters hold as rows, and back: columns are integers, texts and bytes in both."""
