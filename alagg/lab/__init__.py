"""Hosts, links and faults on one machine: the lab in which alagg shows what it does.

`alagg.lab.topology.Lab` builds it; `alagg lab` runs `alagg.lab.demo`, `alagg.lab.faults` and `alagg.lab.scenarios` in
it.
"""
