"""The first configuration of two hosts: who is on the other end of the links, and what both files have to say."""
