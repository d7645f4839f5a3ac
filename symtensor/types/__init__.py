"""What a value may be: dtypes, symbolic sizes, tensor types."""
