"""What machines say on their consoles when they get somewhere: patterns to wait for."""

MULTI_USER = r"Reached target .*multi-user\.target"
GOING_DOWN = r"Stopped target .*multi-user\.target"

# The ramdisk's lines, and only those, have this in front.
OURS = r"stiefel: "

# Before a loan, on both.
NO_CABLE = OURS + r"NO CABLE IS IN"
CABLE_IN = OURS + r"A cable is in"

# On the borrower, from its stick.
SEARCHING = OURS + r"Searching "
FOUND_ASLEEP = OURS + r"Found .* asking it to lend"
FETCHED = OURS + r"Fetched ([\d.]+) MiB; all of it is authentic"
STARTING_LENT = OURS + r"Starting the system of "
LENT_TO = OURS + r".* is lent to (.+)\. Waiting until it is back"
# And when that goes wrong.
REMEMBERED = OURS + r"The stick remembers what went wrong"
ENTER_TO_GO_ON = OURS + r"Press Enter to go on"
ENTER_TO_RESTART = OURS + r"That was all\. Press Enter to restart"
# In the lent system, before its own init.
NOT_IN = OURS + r"The cable to .* is not in"
ATTACHED = OURS + r"The disk of .* is attached"
FROZEN = OURS + r"No connection to .*: this system waits"
DETOUR = OURS + r"The cable leads nowhere; going on over another network card, (\S+)\."
OWN_CARD = OURS + r"Going on over the own network card again"
GOES_ON = OURS + r".* is back after (\d+) s"
TAKEN_OVER = OURS + r".* was killed\. Another one has taken its place"

# On the lender, in its ramdisk.
SERVING = OURS + r"Ready: offering "
SENDING = OURS + r".* fetches the system \(([\d.]+) MiB\)"
HELD = OURS + r"The disk is attached\. Memory in use: (\d+) MiB"
VANISHED = OURS + r"The borrower has vanished"
BACK_AGAIN = OURS + r"The borrower is back"
RETURNED = OURS + r"The disk is back and complete"
LOST = OURS + r"The borrower did not come back"
