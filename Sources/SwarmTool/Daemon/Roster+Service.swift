import Metainfo
import Store
import Swarm
import SwarmNode
import Wire

/// What programs on the same machine ask of a daemon.
extension Roster: ControlService {
  var nodeView: NodeView {
    var surroundings = Surroundings()
    surroundings.discovery = node.discoveryStatus
    let members = Dictionary(surroundings.json) { first, _ in first }
    let uptime = (ContinuousClock.now - startTime).components.seconds
    return NodeView(
      version: SwarmTool.configuration.version, uptimeSeconds: UInt64(clamping: uptime),
      listening: node.endpoints.map { "\($0)" }, nbdSocket: devicesPath,
      dht: members["dht"] ?? .null, localNetwork: members["local_network"] ?? .null,
      mappings: members["mappings"] ?? .null, devices: devices.figures,
      compression: node.compression)
  }

  var datasets: [DatasetView] { entries.map(view) }

  var exports: [ExportView] { record.exports.compactMap(view) }

  func add(
    _ request: AddRequest, completion: @escaping (Result<String, ControlFailure>) -> Void
  ) {
    insert(request) { completion($0.map(\.id)) }
  }

  func remove(_ dataset: String, completion: @escaping (ControlFailure?) -> Void) {
    do throws(ControlFailure) {
      try take(out: try entry(dataset), onGone: completion)
    } catch {
      completion(error)
    }
  }

  func link(of dataset: String) throws(ControlFailure) -> String {
    let entry = try entry(dataset)
    do throws(Failure) {
      guard let key = key(of: entry), let readKey = try state.readKey(of: key) else {
        return view(entry).magnet
      }
      return MagnetLink(datasetKey: key, readKey: readKey, name: view(entry).name ?? []).secretURI
    } catch { throw .system(error.message) }
  }

  func versions(of dataset: String) throws(ControlFailure) -> [VersionView] {
    let entry = try entry(dataset)
    guard let key = key(of: entry) else {
      guard let opened = opened(nil, of: entry) else {
        throw .unavailable("what is in it is not known yet")
      }
      return [
        VersionView(
          number: nil, infohashV2: opened.info.infohashV2, info: opened.info, isOpen: true)
      ]
    }
    do throws(Failure) {
      let known = try KnownDataset(Array(key.hex.utf8), state: state)
      let history = try known.history(limit: Self.mostVersions)
      return history.enumerated().map { place, each in
        VersionView(
          number: each.number, infohashV2: each.infohash, info: each.kept?.torrent.info,
          differingBytes: place + 1 < history.count
            ? VersionDiff.bytes(from: history[place + 1], to: each) : nil,
          isOpen: opened(each.number, of: entry) != nil)
      }
    } catch {
      throw .system(error.message)
    }
  }

  /// Versions of a list at the most.
  private static let mostVersions = 1_000

  func info(of dataset: String, version: UInt64?) throws(ControlFailure) -> InfoDictionary {
    try openedVersion(version, of: dataset).info
  }

  func open(
    _ file: Int, of dataset: String, version: UInt64?,
    completion: @escaping (Result<ReadableFile, ControlFailure>) -> Void
  ) {
    do throws(ControlFailure) {
      let opened = try openedVersion(version, of: dataset)
      var readable = ReadableFile(
        of: node, opened.torrent, file: file, length: opened.info.files[file].length,
        timeout: Self.readTimeout)
      let (lease, read) = (lease(of: opened.torrent), readable.read)
      readable.read = { bytes, deliver, completion in
        withExtendedLifetime(lease) { read(bytes, deliver, completion) }
      }
      completion(.success(readable))
    } catch {
      completion(.failure(error))
    }
  }

  /// The torrent is in use until the lease is gone, which whoever reads holds.
  private func lease(of torrent: TorrentID) -> Lease {
    leases.removeAll { $0.lease == nil }
    let lease = Lease()
    leases.append(HeldTorrent(torrent: torrent, lease: lease))
    return lease
  }

  /// As for block devices.
  private static let readTimeout = Duration.seconds(60)

  func prefetch(
    _ ranges: [Range<UInt64>], of file: Int, in dataset: String, version: UInt64?
  ) throws(ControlFailure) -> Int {
    let opened = try openedVersion(version, of: dataset)
    return ranges.prefix { node.prefetch($0, of: file, in: opened.torrent) }.count
  }

  func peers(of dataset: String) -> [PeerView] {
    guard let entry = entries.first(where: { $0.id == dataset }),
      let torrent = entry.member?.torrent ?? entry.member?.meeting
    else { return [] }
    return node.peers(of: torrent).map { PeerView($0) }
  }

  func add(peer: PeerAddress, to dataset: String) throws(ControlFailure) {
    guard let member = try entry(dataset).member else {
      throw .unavailable("the dataset is not active now")
    }
    for torrent in [member.torrent, member.meeting].compactMap({ $0 }) {
      node.resolve(peer, for: torrent)
    }
  }

  func export(_ request: ExportRequest) throws(ControlFailure) -> ExportView {
    let opened = try openedVersion(request.version, of: request.dataset)
    let wish = RosterRecord.Export(
      dataset: request.dataset, version: request.version,
      path: opened.info.files[request.file].path.bytes, name: request.name,
      readTimeout: request.readTimeout)
    if let name = request.name,
      name.isEmpty || name == Array(".".utf8) || name == Array("..".utf8)
        || name.contains(0)
    {
      throw .invalid("\(printable(name)) cannot be the name of an export")
    }
    // Who asks twice has it.
    if record.exports.contains(wish), let view = view(wish) { return view }
    let taken = Set(record.exports.filter { $0.name != nil }.flatMap { names(of: $0).prefix(1) })
    if let name = request.name, taken.contains(name) {
      throw .conflict("\(printable(name)) is exported already")
    }
    if record.exports.count >= Self.mostExports { throw .conflict("there are too many exports") }
    record.exports.append(wish)
    do throws(ControlFailure) {
      try keepRecord()
    } catch {
      record.exports.removeLast()
      throw error
    }
    updateDevices()
    guard let view = view(wish) else { throw .system("the export is gone again") }
    return view
  }

  func removeExport(named name: [UInt8]) throws(ControlFailure) {
    guard let index = record.exports.firstIndex(where: { names(of: $0).contains(name) }) else {
      throw .notFound("nothing is exported as \(printable(name))")
    }
    let wish = record.exports.remove(at: index)
    do throws(ControlFailure) {
      try keepRecord()
    } catch {
      record.exports.insert(wish, at: index)
      throw error
    }
    updateDevices()
  }

  func trace(
    of file: Int, in dataset: String, version: UInt64?
  ) throws(ControlFailure) -> BootTrace {
    let info = try openedVersion(version, of: dataset).info
    guard let trace = state.recordedTraces(DatasetName(info)).trace(of: file) else {
      throw .notFound("nothing was read of \(info.files[file].path) as a block device yet")
    }
    return trace
  }

  func shippedTrace(
    of file: Int, in dataset: String, version: UInt64?,
    completion: @escaping (Result<BootTrace?, ControlFailure>) -> Void
  ) {
    do throws(ControlFailure) {
      let opened = try openedVersion(version, of: dataset)
      guard let trace = TracePlace.trace(forFileAt: file, in: opened.info) else {
        return completion(.success(nil))
      }
      var bytes = [UInt8](repeating: 0, count: Int(trace.length))
      node.read(
        0..<trace.length, of: trace.place, in: opened.torrent, timeout: Self.readTimeout,
        deliver: { part, offset in
          bytes.replaceSubrange(Int(offset)..<(Int(offset) + part.count), with: part)
        },
        completion: { failure in
          if failure != nil {
            return completion(.failure(.timeout("the trace did not come in time")))
          }
          do throws(TraceError) {
            completion(.success(try BootTrace(encoded: bytes)))
          } catch {
            completion(.failure(.invalid("the version's trace cannot be read: \(error)")))
          }
        })
    } catch {
      completion(.failure(error))
    }
  }

  // MARK: Finding

  private func entry(_ id: String) throws(ControlFailure) -> Entry {
    guard let entry = entries.first(where: { $0.id == id }) else {
      throw .notFound("the daemon has no dataset \(id)")
    }
    return entry
  }

  private func openedVersion(_ version: UInt64?, of id: String) throws(ControlFailure) -> Opened {
    let entry = try entry(id)
    if let opened = reading(version, of: entry) { return opened }
    if let fault = entry.fault { throw .unavailable(fault) }
    if let version, entry.member?.opening.contains(version) == true {
      throw .unavailable("version \(version) is being opened: ask again in a moment")
    }
    guard let version else { throw .unavailable("what is in it is not known yet") }
    if let newest = newest(of: entry), version > newest {
      throw .notFound("there is no version \(version): the newest is \(newest)")
    }
    if entry.member?.plan.isSeed == true {
      throw .notFound(
        "version \(version) is not kept: what is shared is the user's own folder")
    }
    throw .unavailable(
      "what is in version \(version) is not known here; swarm log \(id) asks others, then "
        + "try again")
  }

  private func key(of entry: Entry) -> DatasetKey? {
    entry.member?.plan.dataset?.key ?? entry.member?.plan.search?.key ?? entry.link.datasetKey
  }

  private func newest(of entry: Entry) -> UInt64? {
    (entry.member?.follower?.head).map { UInt64(clamping: $0.version) }
  }

  private func view(_ wish: RosterRecord.Export) -> ExportView? {
    guard let entry = entries.first(where: { $0.id == wish.dataset }) else { return nil }
    let file = opened(wish.version, of: entry)?.info.files.first { $0.path.bytes == wish.path }
    let elements = wish.path.split(separator: UInt8(ascii: "/")).compactMap { try? PathElement($0) }
    guard let path = file?.path ?? (try? ContentPath(elements)) else { return nil }
    return ExportView(
      names: names(of: wish), dataset: wish.dataset, version: wish.version, path: path,
      size: file?.length ?? 0, socket: devicesPath)
  }

  /// The link that was asked for; nil for a path.
  private static func asked(_ link: LinkArgument) -> MagnetLink? {
    if case .link(let link) = link { link } else { nil }
  }

  private func view(_ entry: Entry) -> DatasetView {
    var view = DatasetView(
      id: entry.id, magnet: Self.asked(entry.request.link)?.uri ?? entry.link.uri)
    let opened = opened(nil, of: entry)
    view.key = key(of: entry)
    view.isSparse = entry.request.isSparse
    view.fault = entry.fault
    view.newest = newest(of: entry)
    // 64 digits alone may be either, until something is found.
    view.infohashV2 = entry.link.v2Infohash.flatMap { $0.hex == view.key?.hex ? nil : $0 }
    view.infohashV1 = entry.link.v1Infohash
    view.name = opened?.info.name.bytes ?? (entry.link.name.isEmpty ? nil : entry.link.name)
    guard let member = entry.member else { return view }
    view.isSeed = member.plan.isSeed
    view.isPrivate = member.plan.readKey != nil
    view.path = (member.subject?.content()).flatMap { $0 }
    if let opened {
      view.magnet = MagnetLink(opened.info, key: view.key, readKey: member.plan.readKey).uri
      view.version = opened.version
      view.info = opened.info
      (view.infohashV2, view.infohashV1) = (opened.info.infohashV2, opened.info.infohashV1)
    }
    view.transfer = member.torrent.flatMap { node.status(of: $0) }
    return view
  }
}

extension VersionDiff {
  /// What who has the older version must fetch; nil where that is not known.
  static func bytes(from old: KnownDataset.Entry, to new: KnownDataset.Entry) -> UInt64? {
    guard old.number + 1 == new.number, let before = old.kept?.torrent,
      let after = new.kept?.torrent
    else { return nil }
    let diff = VersionDiff(from: before.info, before.pieceLayers, to: after.info, after.pieceLayers)
    return diff.flatMap { $0.isEstimate ? nil : $0.differingBytes }
  }
}
