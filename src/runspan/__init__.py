"""runspan: one Run of an assistant, one correct OpenTelemetry trace."""
