"""For all tests: what is asked to end has to be able to."""
import signal

# a shell's background job has these ignored, and what it starts inherits that
for number in signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM:
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
