// Why key files, join lines and their folder cannot be used, with what to do.

/// Why a key file or its directory cannot be used.
public struct KeyFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file or directory.
    public var path: String
    /// What is wrong with it.
    public var reason: Reason

    /// Makes an error.
    public init(path: String, reason: Reason) {
        self.path = path
        self.reason = reason
    }

    /// The kinds of problems with a key file or its directory.
    public enum Reason: Sendable, Equatable {
        /// There is no such file.
        case missing
        /// It is a symbolic link.
        case symbolicLink
        /// It is a directory.
        case folder
        /// It is not a regular file.
        case notAFile
        /// The state directory is not a directory.
        case notADirectory
        /// It belongs to another user.
        case anotherOwner
        /// Others may read or change the file.
        case readableByOthers
        /// Others may change the directory.
        case directoryWritableByOthers
        /// The file is empty.
        case empty
        /// The file has this number of hex digits, but a key has 64.
        case wrongLength(Int)
        /// The file contains something else.
        case noKey
        /// There is no such file with a join line.
        case missingJoinLine
        /// A join line stands where the name of its file should.
        case joinLineForFile
        /// The key is of this identity, which is not the one of the role.
        case otherIdentity(String)
        /// It holds no join line; this is wrong with it.
        case noJoinLine(String)
        /// The file of identities is damaged in this way.
        case noIdentities(String)
        /// It cannot be read; the system says why.
        case unreadable(String)
        /// It cannot be made; the system says why.
        case notCreated(String)
        /// There is such a file, which must not be overwritten.
        case exists
        /// The file cannot be written; the system says why.
        case notWritten(String)
    }

    /// What is wrong and what to do about it, in a sentence or two.
    public var description: String {
        switch reason {
        case .missing:
            "There is no key file \(path). A coordinator makes it on its first start; copy it "
                + "from the coordinator's host, or name its directory with --state."
        case .symbolicLink:
            "The key file \(path) is a symbolic link. Put the file itself there."
        case .folder:
            "\(path) is a folder, not a key file. Name the file in it, such as "
                + "\(path)/client.key, or give the folder by --state."
        case .empty:
            "The key file \(path) is empty. Copy it again, or remove it and let the coordinator "
                + "make a new one."
        case .wrongLength(let count):
            "The key file \(path) holds \(count) hex digits; a key has 64. Copy it again."
        case .notAFile:
            "The key file \(path) is not a regular file. Name a file with a key."
        case .notADirectory:
            "The state directory \(path) is not a directory. Name another one with --state."
        case .anotherOwner:
            "\(path) belongs to another user. Make it your own: chown \"$(id -u)\" '\(path)', or "
                + "have root own it and one of your groups read it, and nobody else."
        case .readableByOthers:
            "Other users may read the key file \(path). Close it: chmod 600 '\(path)'"
        case .directoryWritableByOthers:
            "Other users may change the state directory \(path). Close it: chmod 700 '\(path)'"
        case .noKey:
            "The key file \(path) does not hold a key: 64 hex digits and a line end. Copy it "
                + "again, or remove it and let the coordinator make a new one."
        case .missingJoinLine:
            "There is no file \(path) with a join line. Make one on the coordinator's host: weft "
                + "keys export NAME --for HOST:PORT"
        case .joinLineForFile:
            "A join line was given where the file with it is expected; other users of this host "
                + "can see it there. Put it into a file that only you can read, or give it to "
                + "--join - by standard input."
        case .otherIdentity(let name):
            "\(path) holds a key of \(name), which is not the identity of the role. Put the role's "
                + "key there, or remove the file and let the coordinator make a new one."
        case .noJoinLine(let problem):
            "The join line in \(path) \(problem). Make one on the coordinator's host: weft keys "
                + "export NAME --for HOST:PORT"
        case .noIdentities(let problem):
            "\(path) is damaged: \(problem). Put an earlier copy there, or remove it: then only "
                + "the keys in the files beside it are accepted."
        case .unreadable(let cause):
            "\(path) cannot be read: \(cause)."
        case .notCreated(let cause):
            "\(path) cannot be made: \(cause). Name another directory with --state."
        case .exists:
            "\(path) is there already, and stays as it is. Remove it, or name another file."
        case .notWritten(let cause):
            "\(path) cannot be written: \(cause). Name another file."
        }
    }
}
