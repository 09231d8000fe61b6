#include <array>

#include "topology/import/cloud_json.hpp"
#include "topology/import/fabric_formats.hpp"
#include "topology/import/foreshard_json.hpp"
#include "topology/import/format.hpp"
#include "topology/import/infragraph.hpp"
#include "topology/import/kubernetes.hpp"
#include "topology/import/node_inside.hpp"
#include "topology/import/slurm.hpp"
#include "topology/import/topograph.hpp"
#include "topology/k8s_objects.hpp"

namespace topology {

namespace {

constexpr std::array<ImportFormat, 21> formats{{
    {.name = "foreshard",
     .what = "a cluster that foreshard wrote, JSON",
     .detect = is_foreshard_json,
     .read = read_foreshard_json},
    {.name = "kubernetes",
     .what = "objects of Kubernetes: kubectl get nodes,pods -A -o json",
     .detect = looks_like_kubernetes,
     .read = read_kubernetes_cluster,
     .together = true},
    {.name = "slurm-conf",
     .what = "Slurm's topology.conf, or the output of scontrol show topology",
     .detect = is_slurm_conf,
     .read = read_slurm_conf},
    {.name = "slurm-yaml",
     .what = "Slurm's topology.yaml",
     .detect = is_slurm_yaml,
     .read = read_slurm_yaml},
    {.name = "topograph",
     .what = "model of Topograph, YAML",
     .detect = is_topograph_model,
     .read = read_topograph_model},
    {.name = "topograph-graph",
     .what = "answer of Topograph's engine graph, JSON",
     .detect = is_topograph_graph,
     .read = read_topograph_graph},
    {.name = "aws-topology",
     .what = "output of aws ec2 describe-instance-topology",
     .detect = is_aws_topology,
     .read = read_aws_topology,
     .together = true},
    {.name = "gcp-instances",
     .what = "output of gcloud compute instances list --format=json",
     .detect = is_gcp_instances,
     .read = read_gcp_instances,
     .together = true},
    {.name = "oci-hosts",
     .what = "compute hosts of OCI, or the metadata of its instances",
     .detect = is_oci_hosts,
     .read = read_oci_hosts,
     .together = true},
    {.name = "lambda-instances",
     .what = "instances of Lambda with their networkPath",
     .detect = is_lambda_instances,
     .read = read_lambda_instances,
     .together = true},
    {.name = "nscale-topology",
     .what = "topology of Nscale's instances",
     .detect = is_nscale_topology,
     .read = read_nscale_topology,
     .together = true},
    {.name = "ibnetdiscover",
     .what = "output of ibnetdiscover",
     .detect = is_ibnetdiscover,
     .read = read_ibnetdiscover},
    {.name = "iblinkinfo",
     .what = "output of iblinkinfo, best with -l",
     .detect = is_iblinkinfo,
     .read = read_iblinkinfo},
    {.name = "netq",
     .what = "the topology graph of NVIDIA NetQ",
     .detect = is_netq,
     .read = read_netq},
    {.name = "lldp",
     .what = "output of lldpctl -f json or json0, each file named for its device",
     .detect = is_lldp,
     .read = read_lldp,
     .together = true},
    {.name = "sonic",
     .what = "config_db.json of SONiC switches, or show lldp table in files named for them",
     .detect = is_sonic,
     .read = read_sonic,
     .together = true},
    {.name = "ufm",
     .what = "the ports that UFM lists: /ufmRest/resources/ports",
     .detect = is_ufm,
     .read = read_ufm},
    {.name = "lingjun",
     .what = "topo.csv of Alibaba Lingjun: ip,DSW,PSW,ASW",
     .detect = is_lingjun,
     .read = read_lingjun},
    {.name = "infragraph",
     .what = "InfraGraph of Keysight, YAML",
     .detect = is_infragraph,
     .read = read_infragraph},
    {.name = "nccl-topology",
     .what = "NCCL_TOPO_DUMP_FILE of NCCL: the inside of a node",
     .detect = is_nccl_topology,
     .read = read_nccl_topology},
    {.name = "nvidia-smi-topo",
     .what = "output of nvidia-smi topo -m: the inside of a node",
     .detect = is_nvidia_smi_topo,
     .read = read_nvidia_smi_topo},
}};

}  // namespace

std::span<const ImportFormat> import_formats() { return formats; }

}  // namespace topology
