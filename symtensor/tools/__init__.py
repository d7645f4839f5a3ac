"""What one runs beside the compiler: the `symtensor` command, tables of ops and rules, explanations of functions."""
