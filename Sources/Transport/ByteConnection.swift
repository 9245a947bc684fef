// What a message connection needs of the bytes below it, so that it does not matter whether they are
// encrypted.
internal import UVLoop

/// An open connection that carries bytes, to be used on its loop only.
///
/// The contract is that of `TCPConnection`.
protocol ByteConnection: AnyObject {
    /// Called each time the queued rest of earlier writes has been sent completely.
    var onDrained: (() -> Void)? { get set }
    /// Bytes written and not yet accepted by the system.
    var unsentBytes: Int { get }
    /// Bytes that the peer's system has accepted; grows as long as the peer reads.
    var takenBytes: Int { get }
    /// The peer's address.
    var remoteAddress: SocketAddress? { get }

    func start(onBytes: @escaping ([UInt8]) -> Void, onEnd: @escaping (UVError?) -> Void)
    func pauseReading()
    func resumeReading()
    func write(_ bytes: inout [UInt8])
    func closeAfterWriting(waitsForEnd: Bool, rest: @escaping (inout [UInt8]) -> Bool)
    func close()
}

extension TCPConnection: ByteConnection {}
