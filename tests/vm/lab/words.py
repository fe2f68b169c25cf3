"""What machines say on their consoles when they get somewhere: patterns to wait for."""

MULTI_USER = r"Reached target .*multi-user\.target"

# The ramdisk's own lines, and only those, begin like this.
OURS = r"stiefel: "
SEARCHING = OURS + r".*search"
WOKEN = OURS + r".*(woke|wakes|waking)"
FETCHED = OURS + r".*verified"
SERVING = OURS + r".*(serving|offering)"
ATTACHED = OURS + r".*attached"
RELEASED = OURS + r".*(given back|gave back|released)"
LENT_TO = OURS + r".*lent to"
