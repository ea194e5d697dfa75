"""Recorded API traffic, played through the real client, and an oracle that says what the traces of it must hold.

The files are read where they stand, beside the checkout; nothing of them is copied into the project.

    folder   where the recordings and the tools beside them are        modes    the seven ways to play one
    exchange one recorded request and its answer                       server   answers them on loopback
    player   drives the client, returns everything the app saw         record   what that is, and how two of them differ
    oracle   recording -> the Runs it starts and how each one ended     traced   the same play, with runspan installed
    checks   spans against the oracle                                  matrix   all of it on one command line, without pytest
"""
