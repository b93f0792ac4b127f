"""What stands between a visitor and a kernel: names, login, seats, headers and logs."""
