"""Hosts, links and faults on one machine: the lab in which alagg shows what it does.

`alagg.lab.topology.Lab` builds it, `alagg.lab.scenarios` and `alagg.lab.faults` are what `alagg lab` runs in it.
"""
