"""A fresh machine as a test: what the README promises, in bare Debian roots. ``make test-fresh``.

- ``main``     the command line
- ``cases``    what is done in each root, and what has to come out
- ``mistakes`` machines on which a command cannot work
- ``roots``    bare roots made by debootstrap, and running commands in them
- ``summary``  how each step ended, and the verdict
- ``inside``   a process of its own that mounts, changes root and user, and runs the command
"""
