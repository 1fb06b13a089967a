"""Releases and the way from each of them to the version at hand.

- ``catalog``   everything that makes one installation of the extension differ from another
- ``releases``  the frozen releases, their scripts, and the path of upgrade scripts from each
- ``stock``     something in every table, and what the gate answers about it
- ``earlier``   a release that never was, and upgrades from it with a mistake
- ``release``   the command that freezes a release: ``make release``
"""
