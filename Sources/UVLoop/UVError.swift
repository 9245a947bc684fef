// The error of a failed libuv operation: its code, its name, and the operation.
internal import CLibuv

/// A failed operation of the loop: libuv's code and the operation.
public struct UVError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The code of libuv, a negative number such as that of `ECONNREFUSED`.
    public var code: Int32
    /// What was tried, for example `connect 127.0.0.1:7420`.
    public var operation: String

    /// Makes an error.
    public init(code: Int32, operation: String) {
        self.code = code
        self.operation = operation
    }

    init(_ code: uv_errno_t, _ operation: String) {
        self.init(code: code.rawValue, operation: operation)
    }

    /// The peer's stream has ended where it could not end in order.
    public static func brokenOff(_ operation: String) -> UVError {
        UVError(UV_ECONNRESET, operation)
    }

    /// The name of the code, for example `ECONNREFUSED`.
    public var name: String { text { uv_err_name_r(code, $0, $1) } }

    /// What the code means, in libuv's words.
    public var explanation: String { text { uv_strerror_r(code, $0, $1) } }

    /// Operation, meaning and name, for a person.
    public var description: String { "\(operation): \(explanation) (\(name))" }

    /// Whether nothing listens at the address.
    public var isConnectionRefused: Bool { code == UV_ECONNREFUSED.rawValue }
    /// Whether the peer broke the connection off.
    public var isConnectionReset: Bool { code == UV_ECONNRESET.rawValue }
    /// Whether time ran out.
    public var isTimeout: Bool { code == UV_ETIMEDOUT.rawValue }
    /// Whether this side cancelled it.
    public var isCancelled: Bool { code == UV_ECANCELED.rawValue }
    /// Whether the address is taken already.
    public var isAddressInUse: Bool { code == UV_EADDRINUSE.rawValue }
    /// Whether a program may have been started: its keeper gave no answer.
    public var isStartUncertain: Bool { code == UV_ECONNABORTED.rawValue }
    /// Whether a file or program does not exist.
    public var isNotFound: Bool { code == UV_ENOENT.rawValue }

    /// Whether arguments and environment of a program are larger than the system allows.
    public var isTooLarge: Bool { code == UV_E2BIG.rawValue }

    private func text(
        _ write: (UnsafeMutablePointer<CChar>?, Int) -> UnsafeMutablePointer<CChar>?
    ) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            buffer.initialize(repeating: 0)
            guard let start = buffer.baseAddress, write(start, buffer.count) != nil else {
                return ""
            }
            return String(cString: start)
        }
    }
}
