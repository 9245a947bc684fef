// One turn of the coordinator's machine, which every part of it passes on.

internal import Core

/// The time of a turn, and what the shell is to do because of it.
typealias CoordinatorTurn = Turn<CoordinatorMachine.Action>
