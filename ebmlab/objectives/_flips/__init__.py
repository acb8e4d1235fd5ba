"""Objectives of discrete y that compare a datum with what one change of it makes."""
