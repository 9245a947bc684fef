// The keys of the simulated peers: one for each role, and one for each worker, which changes.

import Wire

/// The keys of a simulation.
struct SimulatedKeys {
    private(set) var keyring = Keyring(Scenario.keys)
    private var numbers: [String: Int] = [:]

    init() {
        for index in 0..<Scenario.mostWorkers { add("w\(index)", number: 1) }
    }

    /// The newest key of a worker; workers that come after the repair use that of the role.
    func current(of worker: String) -> HandshakeKey {
        if let number = numbers[worker] { return key(of: worker, number: number) }
        guard let key = Scenario.keys[.worker] else { preconditionFailure("workers have a key") }
        return key
    }

    /// Gives a worker a new key; the old one is accepted until then, in milliseconds.
    mutating func change(_ worker: String, oldEndsAt end: Int) {
        guard let number = numbers[worker] else { return }
        keyring.add(
            key(of: worker, number: number),
            of: Identity(name: worker, role: .worker),
            until: end
        )
        add(worker, number: number + 1)
    }

    private mutating func add(_ worker: String, number: Int) {
        numbers[worker] = number
        let identity = Identity(name: worker, role: .worker)
        keyring.add(key(of: worker, number: number), of: identity)
    }

    private func key(of worker: String, number: Int) -> HandshakeKey {
        let bytes = SHA256.digest(of: Array("\(worker) \(number)".utf8))
        guard let key = HandshakeKey(bytes) else { preconditionFailure("a digest has 32 bytes") }
        return HandshakeKey(key, named: KeyName.make(worker, number: number))
    }
}
