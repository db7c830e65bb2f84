import Metainfo
import Store
import Swarm

/// A torrent as the node knows it.
struct TorrentState {
  /// Where its disk operations go.
  enum Disk {
    case unknown
    /// What is wanted of the disk meanwhile, in order.
    case preparing([DiskOperation])
    case ready(DiskDriver)
    case failed(DiskFailure)
  }

  /// Whether the content is written by us.
  let isOwned: Bool
  let folders: (InfoDictionary, PieceLayers) throws -> TorrentFolders
  var disk = Disk.unknown
  /// Whether it is looked for and announced at all.
  let isAnnounced: Bool
  /// Those who alone take part in it; nil where everybody may.
  let group: PrivateGroup?
  /// The names under which it is looked for and announced.
  var infohashes: [SHA1Digest] = []
  /// What stands for the private dataset that it belongs to; nil for what is public. docs/private.md.
  var discoveryInfohash: SHA1Digest?
  /// Whether it is where heads are exchanged, and never has content.
  var isMeeting = false
  /// nil while the files are not known.
  var geometry: PieceGeometry?

  init(
    isOwned: Bool, isAnnounced: Bool = true, group: PrivateGroup? = nil,
    folders: @escaping (InfoDictionary, PieceLayers) throws -> TorrentFolders
  ) {
    self.isOwned = isOwned
    self.isAnnounced = isAnnounced
    self.group = group
    self.folders = folders
  }
}

/// What the core wants, carried out.
extension Node {
  func carryOut(_ effect: consuming Effect) {
    switch consume effect {
    case .connect(let id, let endpoint, let group): connect(id, to: endpoint, group)
    case .send(let id, let outgoing): enqueue(outgoing, on: id)
    case .close(let id): close(id)
    case .resumeReading(let id): resumeReading(id)
    case .prepare(let torrent, let info, let layers): prepare(torrent, info, layers)
    case .keep(let torrent, let layers): onPieceLayers(torrent, layers)
    case .disk(let torrent, let operation): perform(operation, of: torrent)
    case .hash(let torrent, let job):
      jobsRunning += 1
      loop.perform { [hashers, memory] in
        hashers.run(job, in: memory)
      } completion: { [self] result in
        jobsRunning -= 1
        swarm.hashed(job.id, of: torrent, result, now: now)
        needsTurn = true
      }
    case .compress(let job):
      jobsRunning += 1
      loop.perform { [compressors, memory] in
        compressors.run(job, in: memory)
      } completion: { [self] frames in
        jobsRunning -= 1
        swarm.compressed(job.id, frames, now: now)
        needsTurn = true
      }
    case .decompress(let job):
      jobsRunning += 1
      loop.perform { [compressors, memory] in
        compressors.run(job, in: memory)
      } completion: { [self] faults in
        jobsRunning -= 1
        swarm.decompressed(job.id, faults, now: now)
        needsTurn = true
      }
    case .release(let buffer):
      if receiver.slabs.release(buffer) { resumeStalled() }
    case .deliver(let read, let block, let buffer): deliver(block, buffer, to: read)
    case .endRead(let read, let failure): end(read, failure)
    case .notice(let notice):
      take(notice)
    }
  }

  private func prepare(_ torrent: TorrentID, _ info: InfoDictionary, _ layers: PieceLayers) {
    guard let state = torrents[torrent] else { return }
    torrents[torrent]?.geometry = try? info.geometry()
    discover(torrent, info)
    do {
      let folders = try state.folders(info, layers)
      guard let preparation = folders.preparation else {
        return open(torrent, info, folders)
      }
      torrents[torrent]?.disk = .preparing([])
      jobsRunning += 1
      loop.perform(preparation) { [self] in
        jobsRunning -= 1
        needsTurn = true
        guard case .preparing(let operations)? = torrents[torrent]?.disk else { return }
        open(torrent, info, folders)
        for operation in operations { perform(operation, of: torrent) }
      }
    } catch {
      fail(torrent, error)
    }
  }

  private func open(_ torrent: TorrentID, _ info: InfoDictionary, _ folders: TorrentFolders) {
    guard let state = torrents[torrent] else { return }
    do {
      let driver = try folders.open(info, isOwned: state.isOwned, buffers: memory)
      torrents[torrent]?.disk = .ready(driver)
    } catch {
      fail(torrent, error)
    }
  }

  private func fail(_ torrent: TorrentID, _ error: any Error) {
    let failure =
      (error as? DiskError)?.failure ?? DiskFailure(reason: .other, description: "\(error)")
    torrents[torrent]?.disk = .failed(failure)
    onNotice(.diskFailed(torrent, failure))
  }

  private func perform(_ operation: DiskOperation, of torrent: TorrentID) {
    guard let state = torrents[torrent] else { return }
    if case .preparing(let operations) = state.disk {
      torrents[torrent]?.disk = .preparing(operations + [operation])
      return
    }
    jobsRunning += 1
    let driver: DiskDriver
    switch state.disk {
    case .ready(let ready): driver = ready
    case .failed(let failure):
      // Later, as with any other operation.
      loop.perform({ operation.id }) { [self] in
        completed(DiskCompletion(id: $0, result: .failure(failure)), of: torrent)
      }
      return
    case .unknown, .preparing:
      preconditionFailure("the core uses a disk that it has not prepared")
    }
    diskJobs.perform {
      driver.perform(operation)
    } completion: { [self] in
      completed($0, of: torrent)
    }
  }

  private func completed(_ completion: DiskCompletion, of torrent: TorrentID) {
    jobsRunning -= 1
    swarm.completed(completion, of: torrent, now: now)
    needsTurn = true
  }
}
