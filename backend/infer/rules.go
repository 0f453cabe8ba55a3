package infer

// rules are all kinds of findings; docs, corr explain and the reference pages list them from here.
var rules = []rule{
	logContradiction, logUnseenDrop, logSilent, closedByMiddlebox, rstInjected, synNotDelivered, synackNotDelivered, rejected, closeRace, earlyClose, largePacketsLost, messageNotDelivered, zeroWindow, idleExpired,
	tcpTerminated, closeContradiction, answerTooFast, synProxied, directionAsymmetry, failsSince, failsThrough,
	isnRewritten, ttlRestarted, ecnStripped, mssChanged, sackChanged, wscaleChanged, timestampsChanged, optionRemoved, ipidRewritten,
	natFound, payloadRewritten, asymmetricPath,
	proxyAnswered,
	lossFound, reorderingFound, duplicatesFound, offloadArtefact,
	clockStep, captureTruncated, captureDrops,
}
