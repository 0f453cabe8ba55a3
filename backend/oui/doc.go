// Package oui names the maker of a network card by its hardware address.
//
// It takes a MAC address and gives the organisation that IEEE assigned its block to (MA-L, MA-M, MA-S registries), in
// short form. The table is made from Debian's ieee-data package by scripts/oui and embedded. A maker is where a card
// comes from: the neighbour's interface, not proof of what device it sits in. Locally administered and multicast
// addresses have no maker.
package oui
