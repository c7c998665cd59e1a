"""What is known of signals without sending one."""
