// A coordinator that stands by while another one leads: peers prove themselves and are refused, with
// the leader's address if that is known.

internal import Core
internal import Wire

extension CoordinatorMachine {
    /// Refuses a peer that has proved itself.
    mutating func refuseToLead(_ id: ConnectionID, in turn: inout CoordinatorTurn) {
        turn.append(.send(id, .error(notLeading)))
        dismiss(id, reason: "this coordinator stands by", in: &turn)
    }

    /// This one ends, or leads: then its peers begin again.
    mutating func leaveStandby(in turn: inout CoordinatorTurn) {
        for id in peers.ids {
            turn.append(.send(id, .error(notLeading)))
            turn.append(.close(id))
        }
        peers = Peers()
        presence.nextHeartbeat = nil
    }

    private var notLeading: ErrorMessage {
        ErrorMessage(
            code: .notLeader,
            message: leader.map { "This coordinator stands by, and the one at \($0) leads." }
                ?? "This coordinator stands by; which one leads is not known yet.",
            isFatal: true,
            leader: leader
        )
    }
}
