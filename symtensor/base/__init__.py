"""What every layer may use: errors that say what, where and how to mend it, and the configuration."""
