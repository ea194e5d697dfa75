"""Recorded API traffic played through the real client, and an oracle that says what its traces must hold.

The files are read where they stand, beside the checkout; nothing of them is copied into the project.

    folder    where the recordings are, and the tools that came with them
    exchange  one recorded request and its answer
    modes     the seven ways an app may make the same calls
    server    answers a recording on loopback, in order
    player    drives the client through it and keeps everything the app saw: a record
    oracle    recording -> facts: the Runs it starts and how each one ended
    traces    spans -> facts, and whatever has no place in a trace
    cases     every recording in every mode, and the questions asked of each
    matrix    all of that on one command line, without pytest
"""
