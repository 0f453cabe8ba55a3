// Package wireshark finds Wireshark on this machine, puts corr's plugin and profile where it looks, takes them away again,
// opens captures with them, and says what stands in the way.
//
// It takes result directories of corr and gives changes in the user's Wireshark folders, a list of checks, or running
// windows. It touches no file that it did not write: what it installs it lists in a manifest beside the plugin. It knows
// nothing of captures' contents.
package wireshark
