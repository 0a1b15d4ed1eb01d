"""What runs inside a kernel's process, as files: the kernel's interpreter may have nothing of ours installed."""
