#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "calibrate/fit/collective_fit.hpp"
#include "calibrate/fit/kernel_fit.hpp"
#include "calibrate/fit/overlap_fit.hpp"
#include "calibrate/hardware_profile.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/records.hpp"
#include "topology/hardware.hpp"

namespace calibrate {

/// All runs of one calibration, fitted.
struct Calibration {
  std::string name;  ///< for people: the file
  fit::CollectiveFits collectives;
  fit::ShapeFits products;  ///< GEMMs and attention
  fit::SizeFits memory;
  fit::OverlapFits overlaps;
};

/// In the order in which they are asked; null: none.
using Calibrations = std::shared_ptr<const std::vector<Calibration>>;

Calibration fit_calibration(std::string name, std::span<const RunRecords> runs,
                            const topology::HardwareRegistry& registry);

/// Where calibrations are used.
struct CalibratedUse {
  std::string device;          ///< as Device::name
  std::string backend;         ///< as CollectiveBackend::name
  bool shares_device = false;  ///< ranks that shared a device count: it is no GPU
  int ranks_per_node = 1;      ///< who computes at once
  /// Share of its speed alone that a product keeps in the middle of a step, as KernelCurves.
  double sustained = 1;
};

/// Whether a calibration holds anything for that use.
bool is_of_use(const Calibration& calibration, const CalibratedUse& use);

/// What was measured answers first: a measured shape or size, else one interpolated between them,
/// else the fit, else the fallback's model or an extrapolation, whichever is surer. Of calibrations
/// that know it equally well the first answers.
///
/// Collectives are those of the device by the backend's library, with as many ranks on as many
/// nodes, one group at a time (inside a CPU host: as many at once as were measured). Where a
/// library was measured with its own choice of algorithm, that counts; else the quickest of those
/// that were measured, since a library would choose it. What a collective takes from kernels beside
/// it, and loses to them, is that of the first calibration where both ran at once.
class CalibratedProfile : public Profile {
 public:
  /// \pre neither is null
  CalibratedProfile(Calibrations calibrations, CalibratedUse use,
                    std::unique_ptr<Profile> fallback);

  bool supports(base::DType type) const override;
  Duration kernel(const base::Kernel& kernel) const override;
  CollectiveCost collective(Collective op, base::Bytes bytes,
                            const GroupShape& shape) const override;
  const std::vector<std::string>& sources() const override { return sources_; }

 private:
  template <class Fit>
  struct Sourced {
    const Fit* fit;
    int source;  ///< first of its five
  };
  struct Product {
    fit::KernelKey key;
    Sourced<fit::ShapeFit> of;
  };
  /// One operation of one group in one calibration.
  struct OfGroup {
    Collective op;
    Placement placement;
    bool own_choice;                                   ///< of the library, so that there is one
    std::vector<Sourced<fit::CollectiveFit>> choices;  ///< algorithms and protocols
  };

  /// What one operation of one group takes from kernels of one kind beside it, and loses to them.
  struct Overlap {
    fit::OverlapKey key;
    Sourced<fit::OverlapFit> of;  ///< first of two for the kernels, then two for the collective
  };

  /// `points`: "33 sizes"; `condition`: under what it holds, empty if nothing is to be said.
  int add_sources(const std::string& what, const fit::Basis& basis, const std::string& points,
                  const std::string& condition);
  void add_kernels(const Calibration& calibration);
  void add_collectives(const Calibration& calibration);
  void add_choice(std::vector<OfGroup>& groups, const fit::CollectiveKey& key,
                  const fit::FittedCollective& fitted);
  void add_overlaps(const Calibration& calibration);
  void set_overlap(CollectiveCost& cost, Collective op, base::Bytes bytes,
                   const GroupShape& shape) const;
  static CollectiveCost quickest(const std::vector<Sourced<fit::CollectiveFit>>& choices,
                                 base::Bytes bytes);
  Duration product(const base::Kernel& kernel, const fit::KernelKey& wanted,
                   const Duration& otherwise) const;
  Duration memory(const base::MemoryBound& work, const Duration& otherwise) const;

  Calibrations calibrations_;
  CalibratedUse use_;
  std::unique_ptr<Profile> fallback_;
  std::vector<std::string> sources_;  ///< the fallback's first
  std::vector<Product> products_;
  std::vector<Sourced<fit::SizeFit>> memory_;
  std::vector<OfGroup> collectives_;
  std::vector<Overlap> overlaps_;
};

/// A profile, and what the user should know of it.
struct MadeProfile {
  std::unique_ptr<Profile> profile;
  base::Diagnostics warnings;
};

/// A profile of a GPU, or of a device that is none, as make_hardware_profile, with what was
/// measured before what is modelled. A calibration that holds nothing for it is a warning.
base::Result<MadeProfile> make_calibrated_profile(const Calibrations& calibrations,
                                                  const topology::GpuSpec& gpu, int ranks_per_node,
                                                  const std::string& hardware_folder,
                                                  const HardwareProfileOptions& options);

}  // namespace calibrate
