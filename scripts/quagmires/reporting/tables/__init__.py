"""Tables: their values, layouts and formats, and the published values that stand beside them."""
