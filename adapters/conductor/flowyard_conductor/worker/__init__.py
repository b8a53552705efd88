"""What runs hosted instances in this process: it polls the server for their tasks."""
