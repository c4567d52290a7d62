"""A function that writes in every way at once: to both outputs, to its log, and through children."""

import logging
import os
import subprocess
import threading

LINES = 300
LONG = 600 * 1024

logging.getLogger().setLevel("INFO")


def write(descriptor, data):
    while data:
        data = data[os.write(descriptor, data) :]


def to_stdout(n):
    """Whole lines, each with one call: a child writes to the same pipe."""
    for i in range(LINES):
        write(1, b"stdout %d %d\n" % (n, i))


def to_stderr(n):
    """Lines in pieces, long ones, what is no text, and one without an end."""
    write(2, b"stderr head %d\n" % n)
    for i in range(LINES):
        write(2, b"std")
        write(2, b"err %d" % n)
        write(2, b" %d\n" % i)
    if n % 3 == 0:
        write(2, b"stderr %d long " % n + b"R" * LONG + b"\n")
    write(2, b"stderr %d bad \xff\xfe and cut \xe2\x82\n" % n)
    write(2, b"stderr tail %d then " % n)


def to_the_log(n):
    for i in range(LINES):
        logging.info("log %d %d\nsecond line\n  third line", n, i)


def to_a_child(n):
    script = f"i=0; while [ $i -lt {LINES} ]; do echo child {n} $i; i=$((i + 1)); done"
    subprocess.run(["sh", "-c", script], check=True)


def leave_a_daemon():
    """A child that has its own session, and writes on when nothing is invoked."""
    script = "i=0; while sleep 0.01; do echo daemon $i; i=$((i + 1)); done"
    subprocess.Popen(["sh", "-c", script], start_new_session=True)


def handler(event, context):
    n = event["n"]
    if n == 0:
        leave_a_daemon()
    writers = [to_stdout, to_stderr, to_the_log, to_a_child]
    threads = [threading.Thread(target=writer, args=[n]) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return n
