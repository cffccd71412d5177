"""Use cases: what happens when an event, an operation or a due job arrives.

At the top is what all operations share: how they are declared, called, limited and refused.
"""
