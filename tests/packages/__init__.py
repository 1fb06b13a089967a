"""Packages: what ``make package`` builds and ``make test-packages`` tries in bare Debian roots.

- ``package``     ``make package``: compiles, writes dist/
- ``content``     which file goes where in each package: read this first
- ``compiled``    compiling so that two builds are the same bytes; what a library needs of the system
- ``deb``, ``rpm``, ``source``   the three kinds of packages
- ``before``      the release before, built from its own sources
- ``main``, ``cases``, ``rpm_cases``   ``make test-packages``
- ``second``      a second compilation, in another clone
- ``containers``  ``make test-containers``

What is no code, the unit and the configuration for instance, is in ``packaging/``.
"""
