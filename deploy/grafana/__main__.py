"""`python -m deploy.grafana`: make the dashboards' JSON anew from the code here."""

from deploy.grafana.build import write

if __name__ == "__main__":
    for path in write():
        print(path)
