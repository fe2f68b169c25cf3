"""All that may befall a desktop in the hours of a loan, one thing after the other, and then the laptop's power key.

The desktop has a disk of its own, a copy of the laptop's. The cable carries large packets at first, and another
one does not. The clock is set back at the beginning, so that the tunnel's keys are renewed after that, while
memory runs out and what keeps the disk attached is killed.
"""

from lab.loan import Loan, boot_files
from trials import clock, killing, memory, own_disk, packets, power_key

# One of them may be stuck while another one has to go on.
PROCESSORS = 2


def play(lab, journey, installed):
    """In the end, all files that the desktop has written are on the laptop's disk, and nothing is on the desktop's."""
    loan = Loan(lab, journey, installed, processors=PROCESSORS)
    loan.make_disk(with_image=True)
    own, before = own_disk.copy(loan)
    loan.boot_laptop()
    own_disk.swap_to_file(loan)
    loan.pair()
    loan.arm()
    loan.start_desktop(boot_files(loan.stick(), own))
    packets.let_through(loan, packets.LARGE)
    loan.hand_over()
    loan.boot_lent_system()
    own_disk.is_hidden(loan)
    writing = clock.set_back(loan)
    large = packets.are(loan, packets.LARGE_INSIDE)
    memory.feed_hogs(loan)
    killing.kill_in_turn(loan, lambda: packets.let_through(loan, packets.USUAL))
    usual = packets.are(loan, packets.USUAL_INSIDE)
    journey.facts["large_to_usual_packets"] = round(usual / large, 2)
    clock.wait(loan, writing)
    own_disk.show(loan)
    loan.write_witness()
    loan.sum_files()
    power_key.press(loan)
    loan.check_witness()
    loan.check_files()
    loan.check_clean()
    loan.check_boot_untouched()
    own_disk.is_as_before(loan, own, before)
