// One TCP connection: FIFO in each direction, with delays; it can be stopped in one direction and
// cut at any moment. Messages take the real codec.

import Core
import TestKit
import Wire

/// The direction of a message.
enum Direction {
    case toCoordinator
    case toPeer
}

/// A connection between a peer and the coordinator.
final class SimulatedLink {
    let id: ConnectionID
    /// The name of the peer, for the trace.
    let peer: String
    /// Whether each side still has it; a side that has not noticed the end continues to send.
    var isOpenForCoordinator = true
    var isOpenForPeer = true
    /// The process of the coordinator at the other end.
    let seat: Int
    /// Whether the coordinator has begun with it.
    var isAccepted = false
    /// Whether bytes still get through at all.
    var isAlive = true
    /// What is on its way, in order.
    var toCoordinator = Lane()
    var toPeer = Lane()
    /// Messages that the coordinator has sent and the peer's system has not accepted.
    var wire: PacedWire
    /// Messages that wait until records up to a position are on disk, and the position that the next
    /// ones wait for.
    var unwritten: [(position: Int, message: Message)] = []
    var barrier = 0
    /// Whether the coordinator reads nothing from the peer, and the waiting messages.
    var isHeld = false
    var heldBack: [Message] = []
    /// The coordinator closes when the peer has read everything.
    var closesWhenTaken = false

    /// One direction.
    struct Lane {
        var messages: [Message] = []
        /// When the newest message arrives; later ones do not overtake it.
        var lastArrival = Instant.zero
        /// While set, nothing arrives.
        var isStopped = false
        /// The end of the stream follows the messages on their way.
        var endsAfter = false
    }

    init(id: ConnectionID, peer: String, seat: Int, limits: Limits) {
        self.id = id
        self.peer = peer
        self.seat = seat
        wire = PacedWire(limits: limits)
    }

    func withLane<Result>(_ direction: Direction, _ body: (inout Lane) -> Result) -> Result {
        switch direction {
        case .toCoordinator: body(&toCoordinator)
        case .toPeer: body(&toPeer)
        }
    }
}
