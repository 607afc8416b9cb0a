"""The endpoint behind `tidings listen`: takes in, checks, tells, records and passes on."""
