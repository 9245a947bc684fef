// Which key file a program uses: the one that it was told, or the one of its role.

public import Wire

/// The key files that a program may use, by its flags and its environment.
public struct KeyFileChoice: Sendable {
    /// The file that was named, by a flag or by `WEFT_KEY_FILE`; nil when none was.
    public let named: String?
    /// The folder where the files of the roles lie.
    public let stateFolder: String

    /// What these flags and this environment choose; empty values of the environment count as
    /// absent.
    public init(
        file: String? = nil,
        state: String? = nil,
        environment: [String: String]
    ) {
        named = file ?? environment["WEFT_KEY_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        stateFolder = StateDirectory.resolve(flag: state, environment: environment)
    }

    /// The role that the named file says to be for, `viewer.key`; nil if it says none.
    public var namedRole: Role? {
        let name = named?.split(separator: "/").last ?? ""
        return [Role.client, .worker, .viewer].first { name == "\($0.rawValue).key" }
    }

    /// The file for a role: the one that was named, else that of the role in the state folder.
    public func path(for role: Role) -> String {
        named ?? KeyFile.path(of: role, in: stateFolder)
    }
}
